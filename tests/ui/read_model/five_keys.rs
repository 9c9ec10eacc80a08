use annals::prelude::*;

#[derive(Debug, Clone, ReadModel)]
#[read_model(table = "owners")]
struct Owner {
    #[read_model(key)]
    part_1: u8,
    #[read_model(key)]
    part_2: u8,
    #[read_model(key)]
    part_3: u8,
    #[read_model(key)]
    part_4: u8,
    #[read_model(key)]
    part_5: u8,
}

fn main() {}
