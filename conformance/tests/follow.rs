//! Changes one by one against all at once, over some sequences of changes; the long run is `--bin follow`.

use gatepost_conformance::sequence::{Changes, run};

#[test]
fn following_changes_comes_to_a_fresh_resolution() {
    let mut changes = Changes::new(0);
    for seed in 0..40 {
        changes.reseed(seed);
        if let Err(why) = run(&mut changes, seed % 2 == 1, 25) {
            panic!("seed {seed}: {why}");
        }
    }
}
