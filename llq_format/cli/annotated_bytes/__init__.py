"""The bytes of shards with named ranges, for `llq dump`."""
