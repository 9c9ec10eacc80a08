use annals::AggregateId;

#[derive(Debug, Clone, PartialEq, AggregateId)]
enum AccountId {
    Number(u64),
    Name(String),
}

fn main() {}
