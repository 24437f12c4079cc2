"""drivemem: does memory make a better driver when part of the road is hidden?"""
