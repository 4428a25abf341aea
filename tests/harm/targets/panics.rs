// SPDX-License-Identifier: LGPL-3.0-or-later

// panics - Rust panics are caught, with drops in order, in threads, and resumed; the last one ends the program
use std::panic;
use std::thread;

struct Guard(&'static str, u32);

impl Drop for Guard {
    #[inline(never)]
    fn drop(&mut self) {
        println!("drop {} {}", self.0, self.1);
    }
}

#[inline(never)]
fn nested(depth: u32, fails: bool) -> u32 {
    let _guard = Guard("nested", depth);
    if depth == 0 {
        if fails {
            panic!("at the bottom");
        }
        return 1;
    }
    nested(depth - 1, fails) + 1
}

#[inline(never)]
fn resumes(depth: u32) {
    let _guard = Guard("resumes", depth);
    if let Err(error) = panic::catch_unwind(|| nested(depth, true)) {
        println!("passing on");
        panic::resume_unwind(error);
    }
}

fn main() {
    panic::set_hook(Box::new(|info| println!("panic: {}", info)));
    for depth in [1, 5, 20] {
        println!("{:?}", panic::catch_unwind(|| nested(depth, false)).ok());
        println!("{:?}", panic::catch_unwind(|| nested(depth, true)).ok());
        println!("{}", panic::catch_unwind(|| resumes(depth)).is_err());
        println!("{}", thread::spawn(move || nested(depth, true)).join().is_err());
    }
    nested(3, true);
}
