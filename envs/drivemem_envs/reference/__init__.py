"""The reference backend: real highway-env objects behind drivemem's sensors."""
