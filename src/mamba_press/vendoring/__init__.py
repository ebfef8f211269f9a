"""Which files go into a wheel, where they go, and which edits make them find each other."""
