"""Pictures of the studies: labelled results to figures. Nothing here simulates, judges or touches files."""
