use annals::prelude::*;

struct Owner;

#[projection]
impl Clone for Owner {
    fn clone(&self) -> Self {
        Self
    }
}

fn main() {}
