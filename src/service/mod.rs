//! One message end to end: claim, load, step, save, reply.
