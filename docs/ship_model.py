"""Put the generator of a finished run into the package: ``src/cloudchamber/models/<study>/``, with its model card.

Command: ``python docs/ship_model.py RUN [LIMIT ...]``; a LIMIT is a sentence of the card: what it cannot do.
"""

from __future__ import annotations

import sys
from pathlib import Path

from cloudchamber.schema import BadInput
from cloudchamber.shipped import ship

if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    try:
        print(ship(Path(sys.argv[1]), sys.argv[2:]))
    except BadInput as error:
        sys.exit(str(error))
