"""The command line: every verb works through the HTTP API, of a running platform or of one in this process."""
