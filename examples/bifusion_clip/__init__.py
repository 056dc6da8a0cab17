"""Points seen by a laser and by a camera, a fusion gate that shuts, and bad calibrations."""
