//! The tracker's memory: who has what, leases, hand-outs, assignments. Pure.
