//! A question and a catalogue to a decision: answer, ask back or refuse, with the evidence for it.
