//: begin step_plain
// What a word becomes, on any device.
fn step(word: u32) -> u32 {
  return (word & 255u) + 1u;
}
//: end step_plain
//: begin touch
// touch: target(i) = step(source(i))
@compute @workgroup_size(1) fn other0() {
}
@compute @workgroup_size(1) fn other1() {
}
@compute @workgroup_size(1) fn other2() {
}
@compute @workgroup_size(1) fn other3() {
}
@compute @workgroup_size(1) fn other4() {
}
@compute @workgroup_size(1) fn other5() {
}
@compute @workgroup_size(1) fn other6() {
}
@compute @workgroup_size(1) fn other7() {
}
@compute @workgroup_size(1) fn other8() {
}
@compute @workgroup_size(1) fn other9() {
}
@compute @workgroup_size(1) fn other10() {
}
@compute @workgroup_size(1) fn other11() {
}
@compute @workgroup_size(1) fn other12() {
}
@compute @workgroup_size(1) fn other13() {
}
@compute @workgroup_size(1) fn other14() {
}
@compute @workgroup_size(1) fn other15() {
}
@compute @workgroup_size(1) fn other16() {
}
@compute @workgroup_size(1) fn other17() {
}
@compute @workgroup_size(1) fn other18() {
}
@compute @workgroup_size(1) fn other19() {
}
@compute @workgroup_size(1) fn other20() {
}
@compute @workgroup_size(1) fn other21() {
}
@compute @workgroup_size(1) fn other22() {
}
@compute @workgroup_size(1) fn other23() {
}
@compute @workgroup_size(1) fn other24() {
}
@compute @workgroup_size(1) fn other25() {
}
@compute @workgroup_size(1) fn other26() {
}
@compute @workgroup_size(1) fn other27() {
}
@compute @workgroup_size(1) fn other28() {
}
@compute @workgroup_size(1) fn other29() {
}
@compute @workgroup_size(1) fn other30() {
}
@compute @workgroup_size(1) fn other31() {
}
@compute @workgroup_size(1) fn other32() {
}
@compute @workgroup_size(1) fn other33() {
}
@compute @workgroup_size(1) fn other34() {
}
@compute @workgroup_size(1) fn other35() {
}
@compute @workgroup_size(1) fn other36() {
}
@compute @workgroup_size(1) fn other37() {
}
@compute @workgroup_size(1) fn other38() {
}
@compute @workgroup_size(1) fn other39() {
}
@compute @workgroup_size(1) fn other40() {
}
@compute @workgroup_size(1) fn other41() {
}
@compute @workgroup_size(1) fn other42() {
}
@compute @workgroup_size(1) fn other43() {
}
@compute @workgroup_size(1) fn other44() {
}
@compute @workgroup_size(1) fn other45() {
}
@compute @workgroup_size(1) fn other46() {
}
@compute @workgroup_size(1) fn other47() {
}
@compute @workgroup_size(1) fn other48() {
}
@compute @workgroup_size(1) fn other49() {
}
@compute @workgroup_size(1) fn other50() {
}
@compute @workgroup_size(1) fn other51() {
}
@compute @workgroup_size(1) fn other52() {
}
@compute @workgroup_size(1) fn other53() {
}
@compute @workgroup_size(1) fn other54() {
}
@compute @workgroup_size(1) fn other55() {
}
@compute @workgroup_size(1) fn other56() {
}
@compute @workgroup_size(1) fn other57() {
}
@compute @workgroup_size(1) fn other58() {
}
@compute @workgroup_size(1) fn other59() {
}
@compute @workgroup_size(1) fn other60() {
}
@compute @workgroup_size(1) fn other61() {
}
@compute @workgroup_size(1) fn other62() {
}
@compute @workgroup_size(1) fn other63() {
}
@compute @workgroup_size(1) fn other64() {
}
@compute @workgroup_size(1) fn other65() {
}
@compute @workgroup_size(1) fn other66() {
}
@compute @workgroup_size(1) fn other67() {
}
@compute @workgroup_size(1) fn other68() {
}
@compute @workgroup_size(1) fn other69() {
}
@compute @workgroup_size(1) fn other70() {
}
@compute @workgroup_size(1) fn other71() {
}
@compute @workgroup_size(1) fn other72() {
}
@compute @workgroup_size(1) fn other73() {
}
@compute @workgroup_size(1) fn other74() {
}
@compute @workgroup_size(1) fn other75() {
}
@compute @workgroup_size(1) fn other76() {
}
@compute @workgroup_size(1) fn other77() {
}
@compute @workgroup_size(1) fn other78() {
}
@compute @workgroup_size(1) fn other79() {
}
@compute @workgroup_size(1) fn other80() {
}
@compute @workgroup_size(1) fn other81() {
}
@compute @workgroup_size(1) fn other82() {
}
@compute @workgroup_size(1) fn other83() {
}
@compute @workgroup_size(1) fn other84() {
}
@compute @workgroup_size(1) fn other85() {
}
@compute @workgroup_size(1) fn other86() {
}
@compute @workgroup_size(1) fn other87() {
}
@compute @workgroup_size(1) fn other88() {
}
@compute @workgroup_size(1) fn other89() {
}
@compute @workgroup_size(1) fn other90() {
}
@compute @workgroup_size(1) fn other91() {
}
@compute @workgroup_size(1) fn other92() {
}
@compute @workgroup_size(1) fn other93() {
}
@compute @workgroup_size(1) fn other94() {
}
@compute @workgroup_size(1) fn other95() {
}
@compute @workgroup_size(1) fn other96() {
}
@compute @workgroup_size(1) fn other97() {
}
@compute @workgroup_size(1) fn other98() {
}
@compute @workgroup_size(1) fn other99() {
}
@compute @workgroup_size(1) fn other100() {
}
@compute @workgroup_size(1) fn other101() {
}
@compute @workgroup_size(1) fn other102() {
}
@compute @workgroup_size(1) fn other103() {
}
@compute @workgroup_size(1) fn other104() {
}
@compute @workgroup_size(1) fn other105() {
}
@compute @workgroup_size(1) fn other106() {
}
@compute @workgroup_size(1) fn other107() {
}
@compute @workgroup_size(1) fn other108() {
}
@compute @workgroup_size(1) fn other109() {
}
@compute @workgroup_size(1) fn other110() {
}
@compute @workgroup_size(1) fn other111() {
}
@compute @workgroup_size(1) fn other112() {
}
@compute @workgroup_size(1) fn other113() {
}
@compute @workgroup_size(1) fn other114() {
}
@compute @workgroup_size(1) fn other115() {
}
@compute @workgroup_size(1) fn other116() {
}
@compute @workgroup_size(1) fn other117() {
}
@compute @workgroup_size(1) fn other118() {
}
@compute @workgroup_size(1) fn other119() {
}
@compute @workgroup_size(1) fn other120() {
}
@compute @workgroup_size(1) fn other121() {
}
@compute @workgroup_size(1) fn other122() {
}
@compute @workgroup_size(1) fn other123() {
}
@compute @workgroup_size(1) fn other124() {
}
@compute @workgroup_size(1) fn other125() {
}
@compute @workgroup_size(1) fn other126() {
}
@compute @workgroup_size(1) fn other127() {
}
@compute @workgroup_size(1) fn other128() {
}
@compute @workgroup_size(1) fn other129() {
}
@compute @workgroup_size(1) fn other130() {
}
@compute @workgroup_size(1) fn other131() {
}
@compute @workgroup_size(1) fn other132() {
}
@compute @workgroup_size(1) fn other133() {
}
@compute @workgroup_size(1) fn other134() {
}
@compute @workgroup_size(1) fn other135() {
}
@compute @workgroup_size(1) fn other136() {
}
@compute @workgroup_size(1) fn other137() {
}
@compute @workgroup_size(1) fn other138() {
}
@compute @workgroup_size(1) fn other139() {
}
@compute @workgroup_size(1) fn other140() {
}
@compute @workgroup_size(1) fn other141() {
}
@compute @workgroup_size(1) fn other142() {
}
@compute @workgroup_size(1) fn other143() {
}
@compute @workgroup_size(1) fn other144() {
}
@compute @workgroup_size(1) fn other145() {
}
@compute @workgroup_size(1) fn other146() {
}
@compute @workgroup_size(1) fn other147() {
}
@compute @workgroup_size(1) fn other148() {
}
@compute @workgroup_size(1) fn other149() {
}
@compute @workgroup_size(1) fn other150() {
}
@compute @workgroup_size(1) fn other151() {
}
@compute @workgroup_size(1) fn other152() {
}
@compute @workgroup_size(1) fn other153() {
}
@compute @workgroup_size(1) fn other154() {
}
@compute @workgroup_size(1) fn other155() {
}
@compute @workgroup_size(1) fn other156() {
}
@compute @workgroup_size(1) fn other157() {
}
@compute @workgroup_size(1) fn other158() {
}
@compute @workgroup_size(1) fn other159() {
}
@compute @workgroup_size(1) fn other160() {
}
@compute @workgroup_size(1) fn other161() {
}
@compute @workgroup_size(1) fn other162() {
}
@compute @workgroup_size(1) fn other163() {
}
@compute @workgroup_size(1) fn other164() {
}
@compute @workgroup_size(1) fn other165() {
}
@compute @workgroup_size(1) fn other166() {
}
@compute @workgroup_size(1) fn other167() {
}
@compute @workgroup_size(1) fn other168() {
}
@compute @workgroup_size(1) fn other169() {
}
@compute @workgroup_size(1) fn other170() {
}
@compute @workgroup_size(1) fn other171() {
}
@compute @workgroup_size(1) fn other172() {
}
@compute @workgroup_size(1) fn other173() {
}
@compute @workgroup_size(1) fn other174() {
}
@compute @workgroup_size(1) fn other175() {
}
@compute @workgroup_size(1) fn other176() {
}
@compute @workgroup_size(1) fn other177() {
}
@compute @workgroup_size(1) fn other178() {
}
@compute @workgroup_size(1) fn other179() {
}
@compute @workgroup_size(1) fn other180() {
}
@compute @workgroup_size(1) fn other181() {
}
@compute @workgroup_size(1) fn other182() {
}
@compute @workgroup_size(1) fn other183() {
}
@compute @workgroup_size(1) fn other184() {
}
@compute @workgroup_size(1) fn other185() {
}
@compute @workgroup_size(1) fn other186() {
}
@compute @workgroup_size(1) fn other187() {
}
@compute @workgroup_size(1) fn other188() {
}
@compute @workgroup_size(1) fn other189() {
}
@compute @workgroup_size(1) fn other190() {
}
@compute @workgroup_size(1) fn other191() {
}
@compute @workgroup_size(1) fn other192() {
}
@compute @workgroup_size(1) fn other193() {
}
@compute @workgroup_size(1) fn other194() {
}
@compute @workgroup_size(1) fn other195() {
}
@compute @workgroup_size(1) fn other196() {
}
@compute @workgroup_size(1) fn other197() {
}
@compute @workgroup_size(1) fn other198() {
}
@compute @workgroup_size(1) fn other199() {
}
@compute @workgroup_size(1) fn other200() {
}
@compute @workgroup_size(1) fn other201() {
}
@compute @workgroup_size(1) fn other202() {
}
@compute @workgroup_size(1) fn other203() {
}
@compute @workgroup_size(1) fn other204() {
}
@compute @workgroup_size(1) fn other205() {
}
@compute @workgroup_size(1) fn other206() {
}
@compute @workgroup_size(1) fn other207() {
}
@compute @workgroup_size(1) fn other208() {
}
@compute @workgroup_size(1) fn other209() {
}
@compute @workgroup_size(1) fn other210() {
}
@compute @workgroup_size(1) fn other211() {
}
@compute @workgroup_size(1) fn other212() {
}
@compute @workgroup_size(1) fn other213() {
}
@compute @workgroup_size(1) fn other214() {
}
@compute @workgroup_size(1) fn other215() {
}
@compute @workgroup_size(1) fn other216() {
}
@compute @workgroup_size(1) fn other217() {
}
@compute @workgroup_size(1) fn other218() {
}
@compute @workgroup_size(1) fn other219() {
}
@compute @workgroup_size(1) fn other220() {
}
@compute @workgroup_size(1) fn other221() {
}
@compute @workgroup_size(1) fn other222() {
}
@compute @workgroup_size(1) fn other223() {
}
@compute @workgroup_size(1) fn other224() {
}
@compute @workgroup_size(1) fn other225() {
}
@compute @workgroup_size(1) fn other226() {
}
@compute @workgroup_size(1) fn other227() {
}
@compute @workgroup_size(1) fn other228() {
}
@compute @workgroup_size(1) fn other229() {
}
@compute @workgroup_size(1) fn other230() {
}
@compute @workgroup_size(1) fn other231() {
}
@compute @workgroup_size(1) fn other232() {
}
@compute @workgroup_size(1) fn other233() {
}
@compute @workgroup_size(1) fn other234() {
}
@compute @workgroup_size(1) fn other235() {
}
@compute @workgroup_size(1) fn other236() {
}
@compute @workgroup_size(1) fn other237() {
}
@compute @workgroup_size(1) fn other238() {
}
@compute @workgroup_size(1) fn other239() {
}
@compute @workgroup_size(1) fn other240() {
}
@compute @workgroup_size(1) fn other241() {
}
@compute @workgroup_size(1) fn other242() {
}
@compute @workgroup_size(1) fn other243() {
}
@compute @workgroup_size(1) fn other244() {
}
@compute @workgroup_size(1) fn other245() {
}
@compute @workgroup_size(1) fn other246() {
}
@compute @workgroup_size(1) fn other247() {
}
@compute @workgroup_size(1) fn other248() {
}
@compute @workgroup_size(1) fn other249() {
}
@compute @workgroup_size(1) fn other250() {
}
@compute @workgroup_size(1) fn other251() {
}
@compute @workgroup_size(1) fn other252() {
}
@compute @workgroup_size(1) fn other253() {
}
@compute @workgroup_size(1) fn other254() {
}
@compute @workgroup_size(1) fn other255() {
}
@compute @workgroup_size(1) fn other256() {
}
@compute @workgroup_size(1) fn other257() {
}
@compute @workgroup_size(1) fn other258() {
}
@compute @workgroup_size(1) fn other259() {
}
@compute @workgroup_size(1) fn other260() {
}
@compute @workgroup_size(1) fn other261() {
}
@compute @workgroup_size(1) fn other262() {
}
@compute @workgroup_size(1) fn other263() {
}
@compute @workgroup_size(1) fn other264() {
}
@compute @workgroup_size(1) fn other265() {
}
@compute @workgroup_size(1) fn other266() {
}
@compute @workgroup_size(1) fn other267() {
}
@compute @workgroup_size(1) fn other268() {
}
@compute @workgroup_size(1) fn other269() {
}
@compute @workgroup_size(1) fn other270() {
}
@compute @workgroup_size(1) fn other271() {
}
@compute @workgroup_size(1) fn other272() {
}
@compute @workgroup_size(1) fn other273() {
}
@compute @workgroup_size(1) fn other274() {
}
@compute @workgroup_size(1) fn other275() {
}
@compute @workgroup_size(1) fn other276() {
}
@compute @workgroup_size(1) fn other277() {
}
@compute @workgroup_size(1) fn other278() {
}
@compute @workgroup_size(1) fn other279() {
}
@compute @workgroup_size(1) fn other280() {
}
@compute @workgroup_size(1) fn other281() {
}
@compute @workgroup_size(1) fn other282() {
}
@compute @workgroup_size(1) fn other283() {
}
@compute @workgroup_size(1) fn other284() {
}
@compute @workgroup_size(1) fn other285() {
}
@compute @workgroup_size(1) fn other286() {
}
@compute @workgroup_size(1) fn other287() {
}
@compute @workgroup_size(1) fn other288() {
}
@compute @workgroup_size(1) fn other289() {
}
@compute @workgroup_size(1) fn other290() {
}
@compute @workgroup_size(1) fn other291() {
}
@compute @workgroup_size(1) fn other292() {
}
@compute @workgroup_size(1) fn other293() {
}
@compute @workgroup_size(1) fn other294() {
}
@compute @workgroup_size(1) fn other295() {
}
@compute @workgroup_size(1) fn other296() {
}
@compute @workgroup_size(1) fn other297() {
}
@compute @workgroup_size(1) fn other298() {
}
@compute @workgroup_size(1) fn other299() {
}

struct TouchParameters {
  count: u32,
  factor: f32,
}

@group(0) @binding(0) var<storage, read> touch_source: array<u32>;
@group(0) @binding(1) var<storage, read_write> touch_target: array<u32>;
@group(1) @binding(0) var<uniform> touch_parameters: TouchParameters;

@compute @workgroup_size(64)
fn touch(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x < touch_parameters.count) {
    touch_target[id.x] = step(touch_source[id.x]);
  }
}
//: end touch
/*: begin step_packed
// The same by a language extension.
fn step(word: u32) -> u32 {
  return dot4U8Packed(word, 1u) + 1u;
}
end step_packed :*/
