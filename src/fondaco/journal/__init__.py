"""The journal: order and durability. Commands are stamped, synced, then applied, then answered."""
