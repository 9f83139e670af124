import sys

from wav2mp3.cli import main

if __name__ == "__main__":
    sys.exit(main())
