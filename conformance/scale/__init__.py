"""What a change costs against the size of a network, in four designs: counted in runs of the statement, and drawn."""
