// Numbers of the charts: base64 of DEFLATE (RFC 1951), read at once where a chart is first drawn.
// The browser's own decompression answers later only, and not every browser has it.
const LENGTHS = [3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83,
  99, 115, 131, 163, 195, 227, 258];
const DISTANCES = [1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769,
  1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577];
const ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
const lengthBits = (i) => (i < 8 || i === 28 ? 0 : (i >> 2) - 1);
const distanceBits = (i) => (i < 4 ? 0 : (i >> 1) - 1);

// Codes of a Huffman tree as a table: the next 15 bits lead to 16 * symbol + length.
function codes(sizes) {
  const count = new Uint16Array(16), next = new Uint16Array(17);
  for (const size of sizes) if (size) count[size]++;
  const most = count.reduce((found, n, size) => (n ? size : found), 1);
  for (let size = 1; size < 15; size++) next[size + 1] = (next[size] + count[size]) << 1;
  const table = new Uint16Array(1 << most);
  sizes.forEach((size, symbol) => {
    if (!size) return;
    let code = next[size]++, turned = 0;
    for (let i = 0; i < size; i++, code >>= 1) turned = (turned << 1) | (code & 1);
    for (let at = turned; at < table.length; at += 1 << size) table[at] = (symbol << 4) | size;
  });
  return { table, mask: table.length - 1 };
}
function inflate(data, total) {
  const out = new Uint8Array(total);
  let at = 0, held = 0, kept = 0, end = 0;
  const fill = (n) => {
    while (kept < n) { held |= (data[at++] || 0) << kept; kept += 8; }
  };
  const bits = (n) => {
    fill(n);
    const value = held & ((1 << n) - 1);
    held >>>= n;
    kept -= n;
    return value;
  };
  const symbol = ({ table, mask }) => {
    fill(15);
    const entry = table[held & mask];
    held >>>= entry & 15;
    kept -= entry & 15;
    return entry >> 4;
  };
  const trees = () => {
    const [many, far, few] = [bits(5) + 257, bits(5) + 1, bits(4) + 4];
    const sizes = new Array(19).fill(0);
    for (let i = 0; i < few; i++) sizes[ORDER[i]] = bits(3);
    const tree = codes(sizes), all = [];
    while (all.length < many + far) {
      const code = symbol(tree);
      if (code < 16) all.push(code);
      else {
        const value = code === 16 ? all[all.length - 1] : 0;
        const times = code === 16 ? 3 + bits(2) : code === 17 ? 3 + bits(3) : 11 + bits(7);
        for (let i = 0; i < times; i++) all.push(value);
      }
    }
    return [codes(all.slice(0, many)), codes(all.slice(many))];
  };
  const block = (literal, distance) => {
    for (;;) {
      const code = symbol(literal);
      if (code < 256) { out[end++] = code; continue; }
      if (code === 256) return;
      const size = LENGTHS[code - 257] + bits(lengthBits(code - 257)), far = symbol(distance);
      const back = DISTANCES[far] + bits(distanceBits(far));
      for (let i = 0; i < size; i++, end++) out[end] = out[end - back];
    }
  };
  for (let last = 0; !last && end < total;) {
    last = bits(1);
    const kind = bits(2);
    if (kind === 0) {
      at -= kept >> 3; // whole bytes that were read ahead
      held = kept = 0;
      const size = data[at] | (data[at + 1] << 8);
      out.set(data.subarray(at + 4, at + 4 + size), end);
      at += 4 + size;
      end += size;
    } else if (kind === 1) {
      const fixed = Array.from({ length: 288 }, (_, i) => (i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8));
      block(codes(fixed), codes(new Array(30).fill(5)));
    } else block(...trees());
  }
  return out;
}
