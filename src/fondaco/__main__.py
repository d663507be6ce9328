"""`python -m fondaco` is `fondaco`: how a parent starts its children whatever the path."""

from fondaco.cli.guard import guard_child

if __name__ == "__main__":
    guard_child()  # before the imports, which take longer than a parent may need to die

    from fondaco.cli.main import main

    main()
