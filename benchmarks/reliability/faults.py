"""All faults of `make chaos`: a further module of faults is imported here."""

import changes as changes
import damage as damage
import interruptions as interruptions
from place import FAULTS as FAULTS
