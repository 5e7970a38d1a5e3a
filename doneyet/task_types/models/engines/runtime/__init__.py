"""What all engines share: loading, memory, padding, limits, the device."""
