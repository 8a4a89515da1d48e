"""The bytes of shards with a name for every range, for `llq dump`."""
