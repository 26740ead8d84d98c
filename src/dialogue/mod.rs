//! The whole conversation as one function: `(state, event, now) -> (state, actions)`.
