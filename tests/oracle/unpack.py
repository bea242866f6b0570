"""Takes the calendars out of source packages: `unpack.py SDISTS CORPUS`.

Nothing of a package is run and no path of it is trusted: only regular files named *.ics are read, and written below
CORPUS under the path they have in the package.
"""

import pathlib
import sys
import tarfile

sdists, corpus = map(pathlib.Path, sys.argv[1:])
for sdist in sorted(sdists.glob("*.tar.gz")):
    with tarfile.open(sdist) as archive:
        for member in archive:
            path = pathlib.PurePosixPath(member.name)
            if not member.isfile() or path.suffix != ".ics" or path.is_absolute() or ".." in path.parts:
                continue
            target = corpus / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(archive.extractfile(member).read())
