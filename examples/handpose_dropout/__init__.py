"""3-D hand pose from 2-D keypoints, with dropout from the first step and with a late start."""
