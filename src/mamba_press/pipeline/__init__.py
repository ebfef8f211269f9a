"""Every story, and only stories: pressing, locking, wheelhouses, hooks."""
