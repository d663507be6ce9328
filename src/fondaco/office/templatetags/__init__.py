"""Words that the office's templates add to Django's."""
