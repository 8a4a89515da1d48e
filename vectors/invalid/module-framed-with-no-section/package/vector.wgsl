fn step() {
}
