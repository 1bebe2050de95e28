"""What the tests share: small datasets, a web server that misbehaves on request, child processes."""
