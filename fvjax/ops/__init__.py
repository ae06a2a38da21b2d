"""Operations of networks with hand-written gradients."""
