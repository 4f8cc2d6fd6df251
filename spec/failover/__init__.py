"""Which instance decides: a separate protocol, which every role with several instances follows."""
