"""What configurations name for a loader to import, fetch, call or render; one module a family of loaders.

Each has `look`, which sees every object of a JSON or YAML document. The shape of an object decides, not the file's name,
so that a configuration is understood wherever it stands: in an archive, an HDF5 attribute, another configuration.
"""
