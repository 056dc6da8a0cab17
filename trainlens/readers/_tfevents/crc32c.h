/* CRC-32C (Castagnoli), masked as TFRecord files store it.
 *
 * crc_update() uses the processor's instruction where there is one, else slicing-by-8.
 * crc_shift() advances a state over zero bytes in O(log n): with the state at a few checkpoints it
 * gives the checksum of any range in nearly constant time (see frames.h).
 */
#ifndef TRAINLENS_CRC32C_H
#define TRAINLENS_CRC32C_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__x86_64__) && defined(__GNUC__)
#include <nmmintrin.h>
#define CRC_X86 1
#elif defined(__ARM_FEATURE_CRC32)
#include <arm_acle.h>
#define CRC_ARM 1
#endif

#if defined(__GNUC__)
#define ALWAYS_INLINE static inline __attribute__((always_inline))
#elif defined(_MSC_VER)
#define ALWAYS_INLINE static __forceinline
#else
#define ALWAYS_INLINE static inline
#endif

#define CRC_POLYNOMIAL 0x82f63b78u
#define CRC_POWERS 40

static uint32_t crc_table[8][256];
static uint32_t crc_power[CRC_POWERS][32]; /* column j of the operator "advance by 2^k zero bytes" */
static int crc_hardware;

#if defined(_WIN32) || (defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__)
static inline uint32_t load32(const uint8_t *p) { uint32_t n; memcpy(&n, p, 4); return n; }
static inline uint64_t load64(const uint8_t *p) { uint64_t n; memcpy(&n, p, 8); return n; }
#else
static inline uint32_t load32(const uint8_t *p) {
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}
static inline uint64_t load64(const uint8_t *p) {
    return (uint64_t)load32(p) | (uint64_t)load32(p + 4) << 32;
}
#endif

static uint32_t crc_apply(const uint32_t *columns, uint32_t state) {
    uint32_t sum = 0;
    for (int bit = 0; bit < 32; bit++) sum ^= columns[bit] & (0u - (state >> bit & 1u));
    return sum;
}

static void crc_init(void) {
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;
        for (int k = 0; k < 8; k++) c = c >> 1 ^ (CRC_POLYNOMIAL & (0u - (c & 1u)));
        crc_table[0][i] = c;
    }
    for (int t = 1; t < 8; t++)
        for (int i = 0; i < 256; i++) {
            uint32_t c = crc_table[t - 1][i];
            crc_table[t][i] = crc_table[0][c & 255] ^ c >> 8;
        }
    for (int bit = 0; bit < 32; bit++) {
        uint32_t state = (uint32_t)1 << bit;
        crc_power[0][bit] = crc_table[0][state & 255] ^ state >> 8;
    }
    for (int k = 1; k < CRC_POWERS; k++)
        for (int bit = 0; bit < 32; bit++)
            crc_power[k][bit] = crc_apply(crc_power[k - 1], crc_power[k - 1][bit]);
#if defined(CRC_X86)
    __builtin_cpu_init();
    crc_hardware = __builtin_cpu_supports("sse4.2") != 0;
#elif defined(CRC_ARM)
    crc_hardware = 1;
#endif
}

static uint32_t crc_software(uint32_t c, const uint8_t *p, size_t n) {
    for (; n >= 8; n -= 8, p += 8) {
        uint32_t low = c ^ load32(p), high = load32(p + 4);
        c = crc_table[7][low & 255] ^ crc_table[6][low >> 8 & 255] ^
            crc_table[5][low >> 16 & 255] ^ crc_table[4][low >> 24] ^ crc_table[3][high & 255] ^
            crc_table[2][high >> 8 & 255] ^ crc_table[1][high >> 16 & 255] ^
            crc_table[0][high >> 24];
    }
    while (n--) c = crc_table[0][(c ^ *p++) & 255] ^ c >> 8;
    return c;
}

/* CRC_TARGET marks functions that use the instruction: their callers have looked for it. */
#if defined(CRC_X86)
#define CRC_TARGET __attribute__((target("sse4.2")))
CRC_TARGET static inline uint32_t crc_instruction(uint32_t c, const uint8_t *p, size_t n) {
    uint64_t wide = c;
    for (; n >= 8; n -= 8, p += 8) wide = _mm_crc32_u64(wide, load64(p));
    c = (uint32_t)wide;
    if (n & 4) { c = _mm_crc32_u32(c, load32(p)); p += 4; }
    if (n & 2) { c = _mm_crc32_u16(c, (uint16_t)(p[0] | p[1] << 8)); p += 2; }
    if (n & 1) c = _mm_crc32_u8(c, *p);
    return c;
}
#elif defined(CRC_ARM)
#define CRC_TARGET
static inline uint32_t crc_instruction(uint32_t c, const uint8_t *p, size_t n) {
    for (; n >= 8; n -= 8, p += 8) c = __crc32cd(c, load64(p));
    while (n--) c = __crc32cb(c, *p++);
    return c;
}
#else
#define CRC_TARGET
#define crc_instruction crc_software
#endif

typedef uint32_t (*CrcFunction)(uint32_t state, const uint8_t *p, size_t n);

/* The state after n more bytes; a checksum starts at ~0 and ends inverted. */
static inline uint32_t crc_update(uint32_t state, const uint8_t *p, size_t n) {
    return crc_hardware ? crc_instruction(state, p, n) : crc_software(state, p, n);
}

static inline uint32_t crc_mask(uint32_t state) {
    uint32_t c = ~state;
    return (c >> 15 | c << 17) + 0xa282ead8u;
}

/* The state after n zero bytes. */
static uint32_t crc_shift(uint32_t state, uint64_t n) {
    for (int k = 0; n && k < CRC_POWERS; k++, n >>= 1)
        if (n & 1) state = crc_apply(crc_power[k], state);
    return state;
}

#endif
