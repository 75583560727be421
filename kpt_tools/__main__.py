"""``python -m kpt_tools``."""

from kpt_tools.cli.main import main

if __name__ == "__main__":
    main()
