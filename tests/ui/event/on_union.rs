use annals::Event;

#[derive(Event)]
union Bits {
    whole: u32,
    bytes: [u8; 4],
}

fn main() {}
