"""The engine: from a source of audio and settings to restored audio; batches of files."""
