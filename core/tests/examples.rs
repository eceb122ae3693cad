//! The examples run.

#[path = "../examples/controller_loop.rs"]
mod controller_loop;

#[test]
fn the_controller_loop_comes_to_rest() {
    controller_loop::main().expect("it runs");
}
