//! What fuzzing starts from, and what it has found, goes through the same checks as in `fuzz/`.

use std::collections::BTreeSet;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

#[path = "../../fuzz/src/lib.rs"]
#[expect(unreachable_pub, reason = "it is a library of its own as well")]
mod targets;

const CORPUS: &str = "fuzz/corpus";

#[test]
fn every_input_of_the_corpora_passes_the_checks_of_its_target() {
    let mut failed = Vec::new();
    for (name, target) in targets::TARGETS {
        let inputs: Vec<_> = fs::read_dir(Path::new(CORPUS).join(name)).unwrap().collect();
        assert!(inputs.len() >= 10, "{name} has {} inputs", inputs.len());
        for input in inputs {
            let path = input.unwrap().path();
            let data = fs::read(&path).unwrap();
            if catch_unwind(AssertUnwindSafe(|| target(&data))).is_err() {
                failed.push(path);
            }
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
}

#[test]
fn every_target_can_be_run_and_has_a_corpus() {
    let names: BTreeSet<String> = targets::TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let stems = |folder: &str| -> BTreeSet<String> {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        entries
            .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(stems(CORPUS), names);
    assert_eq!(stems("fuzz/fuzz_targets"), names);
    let manifest = fs::read_to_string("fuzz/Cargo.toml").unwrap();
    for name in names {
        assert!(
            manifest.contains(&format!("name = \"{name}\"")),
            "{name} is not in fuzz/Cargo.toml"
        );
    }
}
