//! Knowledge files to a checked catalogue: scenarios, slots, texts, lexicon, workdays.
