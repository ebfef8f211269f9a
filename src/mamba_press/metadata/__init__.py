"""What a wheel says of itself: ``[project]``, METADATA, requirements, licences, tags, the bill of materials."""
