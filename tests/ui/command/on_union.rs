use annals::Command;

#[derive(Command)]
union Open {
    account: u64,
}

fn main() {}
