//: begin alone
@compute fn main() {
}
//: end alone
