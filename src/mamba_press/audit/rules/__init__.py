"""The rules that a wheel is held to: each takes its contents and yields what is wrong."""
