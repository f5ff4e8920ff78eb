"""Recordings as people send them: which kind, and what is in those that are read here.

Pure, and apart from `Session`, which never looks further than a recording's first bytes: a shell
runs these readers in its decoder and tells the session what came of it.
"""
