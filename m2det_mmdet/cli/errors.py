"""What a user can get wrong on the command line."""


class UserError(Exception):
    """One sentence for the user; ends the command without a traceback."""
