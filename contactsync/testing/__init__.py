"""For tests of connectors, ours and foreign ones: the contract suite and a connector with faults."""
