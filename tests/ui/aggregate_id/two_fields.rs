use annals::AggregateId;

#[derive(Debug, Clone, PartialEq, AggregateId)]
struct AccountId {
    bank: String,
    number: u64,
}

fn main() {}
