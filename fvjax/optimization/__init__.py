"""The optimization loop: recipes, jobs, scores and the ascent itself."""
