/* A libnvidia-ml.so.1 without GPUs: it answers from the file that FAKE_NVML_STATE names.
 *
 * Compiled against NVIDIA's own nvml.h, so the structures are theirs. Every reading is a slot with a
 * value and a return code; tests change both while a process reads (tests/nvml/fake.py).
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define NVML_NO_UNVERSIONED_FUNC_DEFS
#include <nvml.h>

/* fake.py reads the names from here: keep one macro, on lines of their own */
#define SLOTS(X) \
    X(utilization) X(memory_utilization) X(encoder) X(decoder) \
    X(memory_total) X(memory_used) X(memory_reserved) X(bar1_total) X(bar1_used) \
    X(temperature) X(memory_temperature) X(temperature_margin) \
    X(threshold_shutdown) X(threshold_slowdown) X(threshold_memory) X(threshold_gpu) \
    X(power) X(power_instant) X(power_limit) X(power_least) X(power_most) X(energy) \
    X(clock_graphics) X(clock_sm) X(clock_memory) X(max_clock_sm) X(max_clock_memory) \
    X(performance_state) X(event_reasons) X(throttled_power) X(throttled_thermal) \
    X(ecc_mode) X(ecc_corrected) X(ecc_uncorrected) X(ecc_corrected_ever) X(ecc_uncorrected_ever) \
    X(rows_corrected) X(rows_uncorrected) X(rows_pending) X(rows_failed) \
    X(pages_single) X(pages_double) X(pages_pending) \
    X(pcie_generation) X(pcie_width) X(pcie_max_generation) X(pcie_max_width) \
    X(pcie_transmit) X(pcie_receive) X(pcie_replay) \
    X(nvlink_count) X(nvlink_active) X(nvlink_transmit) X(nvlink_receive) \
    X(nvlink_crc) X(nvlink_replay) X(nvlink_recovery) \
    X(fans) X(fan_0) X(fan_1) X(architecture) X(capability) X(numa) X(persistence) \
    X(mig_mode) X(mig_most) X(event_types) \
    X(gpm) X(gpm_sm) X(gpm_occupancy) X(gpm_tensor) X(gpm_dram)

enum {
#define NAME(slot) SLOT_##slot,
    SLOTS(NAME)
#undef NAME
    SLOT_COUNT
};

typedef struct {
    uint64_t value;
    int32_t result;
    int32_t unused;
} slot_t;

typedef struct {
    uint64_t used;
    uint32_t pid;
    uint32_t unused;
} process_t;

typedef struct {
    char uuid[96];
    char name[96];
    uint64_t total;
    uint64_t used;
    uint32_t gpu_instance;
    uint32_t compute_instance;
} slice_t;

typedef struct {
    char uuid[96];
    char name[96];
    char serial[32];
    char bus[32];
    uint32_t lost;
    uint32_t processes;
    uint32_t slices;
    uint32_t unused;
    process_t process[8];
    slice_t slice[8];
    slot_t slot[SLOT_COUNT];
} device_t;

typedef struct {
    uint64_t type;
    uint64_t data;
    uint32_t device;
    uint32_t gpu_instance;
} event_t;

typedef struct {
    uint32_t init_result;
    uint32_t devices;
    uint32_t hanging; /* queries of devices do not come back */
    uint32_t events;  /* told so far */
    uint32_t broken_events;
    uint32_t unused;
    uint64_t calls; /* of slots */
    event_t event[64];
    device_t device[8];
} state_t;

static state_t *state;
static uint32_t heard;
static uint64_t registered[8];

static void hang(void) {
    while (state->hanging) usleep(5000);
}

static slice_t *slice_of(nvmlDevice_t handle) {
    for (uint32_t i = 0; i < state->devices; i++)
        for (uint32_t j = 0; j < state->device[i].slices; j++)
            if ((void *)handle == (void *)&state->device[i].slice[j]) return &state->device[i].slice[j];
    return NULL;
}

static device_t *card_of(nvmlDevice_t handle) {
    for (uint32_t i = 0; i < state->devices; i++)
        if ((void *)handle == (void *)&state->device[i]) return &state->device[i];
    return NULL;
}

static nvmlReturn_t get(nvmlDevice_t handle, int which, uint64_t *value) {
    if (!state) return NVML_ERROR_UNINITIALIZED;
    hang();
    device_t *card = card_of(handle);
    if (!card) return slice_of(handle) ? NVML_ERROR_NOT_SUPPORTED : NVML_ERROR_INVALID_ARGUMENT;
    __atomic_add_fetch(&state->calls, 1, __ATOMIC_RELAXED);
    if (card->lost) return NVML_ERROR_GPU_IS_LOST;
    *value = card->slot[which].value;
    return card->slot[which].result;
}

static nvmlReturn_t text(nvmlDevice_t handle, const char *mine, char *out, unsigned int room) {
    if (!mine[0]) return NVML_ERROR_NOT_SUPPORTED;
    if (strlen(mine) >= room) return NVML_ERROR_INSUFFICIENT_SIZE;
    strcpy(out, mine);
    return NVML_SUCCESS;
}

#define ONE(function, type, which)                                    \
    nvmlReturn_t function(nvmlDevice_t handle, type *out) {           \
        uint64_t value = 0;                                           \
        nvmlReturn_t result = get(handle, SLOT_##which, &value);      \
        if (result == NVML_SUCCESS) *out = (type)value;               \
        return result;                                                \
    }

/* --- the library ------------------------------------------------------------------------------- */

nvmlReturn_t nvmlInitWithFlags(unsigned int flags) {
    const char *path = getenv("FAKE_NVML_STATE");
    if (!path) return NVML_ERROR_DRIVER_NOT_LOADED;
    int file = open(path, O_RDWR);
    if (file < 0) return NVML_ERROR_DRIVER_NOT_LOADED;
    if (state) munmap(state, sizeof *state);
    state = mmap(NULL, sizeof *state, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (state == MAP_FAILED) state = NULL;
    if (!state) return NVML_ERROR_UNKNOWN;
    heard = state->events; /* what was before is not told */
    memset(registered, 0, sizeof registered);
    return state->init_result;
}

nvmlReturn_t nvmlInit_v2(void) { return nvmlInitWithFlags(0); }

nvmlReturn_t nvmlShutdown(void) { return NVML_SUCCESS; } /* who still waits may still read */

unsigned int fake_size(void) { return sizeof(state_t); }

const char *nvmlErrorString(nvmlReturn_t result) {
    static char said[32];
    snprintf(said, sizeof said, "fake error %d", result);
    return said;
}

nvmlReturn_t nvmlSystemGetDriverVersion(char *out, unsigned int room) {
    snprintf(out, room, "590.12.34");
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlSystemGetNVMLVersion(char *out, unsigned int room) {
    snprintf(out, room, "13.590.12.34");
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlSystemGetCudaDriverVersion_v2(int *out) {
    *out = 13010;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetCount_v2(unsigned int *out) {
    hang();
    *out = state->devices;
    return NVML_SUCCESS;
}

/* --- what a card is ---------------------------------------------------------------------------- */

nvmlReturn_t nvmlDeviceGetHandleByIndex_v2(unsigned int index, nvmlDevice_t *out) {
    hang();
    if (index >= state->devices) return NVML_ERROR_INVALID_ARGUMENT;
    if (state->device[index].lost) return NVML_ERROR_GPU_IS_LOST;
    *out = (nvmlDevice_t)&state->device[index];
    return NVML_SUCCESS;
}

#define TEXT(function, of_card, of_slice)                                                   \
    nvmlReturn_t function(nvmlDevice_t handle, char *out, unsigned int room) {              \
        hang();                                                                             \
        slice_t *slice = slice_of(handle);                                                  \
        if (slice) return text(handle, of_slice, out, room);                                \
        device_t *card = card_of(handle);                                                   \
        if (!card) return NVML_ERROR_INVALID_ARGUMENT;                                      \
        return card->lost ? NVML_ERROR_GPU_IS_LOST : text(handle, of_card, out, room);      \
    }
TEXT(nvmlDeviceGetUUID, card->uuid, slice->uuid)
TEXT(nvmlDeviceGetName, card->name, slice->name)
TEXT(nvmlDeviceGetSerial, card->serial, "")

nvmlReturn_t nvmlDeviceGetIndex(nvmlDevice_t handle, unsigned int *out) {
    device_t *card = card_of(handle);
    if (!card) return NVML_ERROR_NOT_SUPPORTED;
    *out = card - state->device;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetPciInfo_v3(nvmlDevice_t handle, nvmlPciInfo_t *out) {
    device_t *card = card_of(handle);
    if (!card || !card->bus[0]) return NVML_ERROR_NOT_SUPPORTED;
    memset(out, 0, sizeof *out);
    snprintf(out->busId, sizeof out->busId, "%s", card->bus);
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetCudaComputeCapability(nvmlDevice_t handle, int *major, int *minor) {
    uint64_t value = 0;
    nvmlReturn_t result = get(handle, SLOT_capability, &value);
    *major = value / 10;
    *minor = value % 10;
    return result;
}

ONE(nvmlDeviceGetArchitecture, nvmlDeviceArchitecture_t, architecture)
ONE(nvmlDeviceGetNumaNodeId, unsigned int, numa)
ONE(nvmlDeviceGetPersistenceMode, nvmlEnableState_t, persistence)

/* --- readings ---------------------------------------------------------------------------------- */

nvmlReturn_t nvmlDeviceGetUtilizationRates(nvmlDevice_t handle, nvmlUtilization_t *out) {
    uint64_t gpu = 0, memory = 0;
    nvmlReturn_t result = get(handle, SLOT_utilization, &gpu);
    if (result == NVML_SUCCESS) result = get(handle, SLOT_memory_utilization, &memory);
    out->gpu = gpu;
    out->memory = memory;
    return result;
}

#define CODER(function, which)                                                                   \
    nvmlReturn_t function(nvmlDevice_t handle, unsigned int *out, unsigned int *period) {        \
        uint64_t value = 0;                                                                      \
        nvmlReturn_t result = get(handle, SLOT_##which, &value);                                 \
        *out = value;                                                                            \
        *period = 100000;                                                                        \
        return result;                                                                           \
    }
CODER(nvmlDeviceGetEncoderUtilization, encoder)
CODER(nvmlDeviceGetDecoderUtilization, decoder)

nvmlReturn_t nvmlDeviceGetMemoryInfo_v2(nvmlDevice_t handle, nvmlMemory_v2_t *out) {
    slice_t *slice = slice_of(handle);
    uint64_t total = 0, used = 0, reserved = 0;
    if (out->version != nvmlMemory_v2) return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
    if (slice) {
        hang();
        total = slice->total;
        used = slice->used;
    } else {
        nvmlReturn_t result = get(handle, SLOT_memory_total, &total);
        if (result == NVML_SUCCESS) result = get(handle, SLOT_memory_used, &used);
        if (result != NVML_SUCCESS) return result;
        if (get(handle, SLOT_memory_reserved, &reserved) != NVML_SUCCESS) reserved = 0;
    }
    out->total = total;
    out->used = used;
    out->reserved = reserved;
    out->free = total - used - reserved;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetMemoryInfo(nvmlDevice_t handle, nvmlMemory_t *out) {
    nvmlMemory_v2_t memory = {.version = nvmlMemory_v2};
    nvmlReturn_t result = nvmlDeviceGetMemoryInfo_v2(handle, &memory);
    out->total = memory.total;
    out->used = memory.used + memory.reserved; /* as the real one: why v2 is read */
    out->free = memory.free;
    return result;
}

nvmlReturn_t nvmlDeviceGetBAR1MemoryInfo(nvmlDevice_t handle, nvmlBAR1Memory_t *out) {
    uint64_t total = 0, used = 0;
    nvmlReturn_t result = get(handle, SLOT_bar1_total, &total);
    if (result == NVML_SUCCESS) result = get(handle, SLOT_bar1_used, &used);
    out->bar1Total = total;
    out->bar1Used = used;
    out->bar1Free = total - used;
    return result;
}

nvmlReturn_t nvmlDeviceGetTemperatureV(nvmlDevice_t handle, nvmlTemperature_t *out) {
    uint64_t value = 0;
    nvmlReturn_t result = get(handle, SLOT_temperature, &value);
    out->temperature = (int)value;
    return result;
}

nvmlReturn_t nvmlDeviceGetTemperature(nvmlDevice_t handle, nvmlTemperatureSensors_t sensor,
                                      unsigned int *out) {
    uint64_t value = 0;
    nvmlReturn_t result = get(handle, SLOT_temperature, &value);
    *out = value;
    return result;
}

nvmlReturn_t nvmlDeviceGetMarginTemperature(nvmlDevice_t handle, nvmlMarginTemperature_t *out) {
    uint64_t value = 0;
    nvmlReturn_t result = get(handle, SLOT_temperature_margin, &value);
    out->marginTemperature = (int)value;
    return result;
}

nvmlReturn_t nvmlDeviceGetTemperatureThreshold(nvmlDevice_t handle, nvmlTemperatureThresholds_t kind,
                                               unsigned int *out) {
    static const int slots[] = {SLOT_threshold_shutdown, SLOT_threshold_slowdown,
                                SLOT_threshold_memory, SLOT_threshold_gpu};
    uint64_t value = 0;
    if (kind > NVML_TEMPERATURE_THRESHOLD_GPU_MAX) return NVML_ERROR_NOT_SUPPORTED;
    nvmlReturn_t result = get(handle, slots[kind], &value);
    *out = value;
    return result;
}

ONE(nvmlDeviceGetPowerUsage, unsigned int, power)
ONE(nvmlDeviceGetEnforcedPowerLimit, unsigned int, power_limit)
ONE(nvmlDeviceGetTotalEnergyConsumption, unsigned long long, energy)
ONE(nvmlDeviceGetPerformanceState, nvmlPstates_t, performance_state)
ONE(nvmlDeviceGetCurrentClocksEventReasons, unsigned long long, event_reasons)

nvmlReturn_t nvmlDeviceGetPowerManagementLimitConstraints(nvmlDevice_t handle, unsigned int *least,
                                                          unsigned int *most) {
    uint64_t low = 0, high = 0;
    nvmlReturn_t result = get(handle, SLOT_power_least, &low);
    if (result == NVML_SUCCESS) result = get(handle, SLOT_power_most, &high);
    *least = low;
    *most = high;
    return result;
}

static nvmlReturn_t clock_of(nvmlDevice_t handle, int slot, unsigned int *out) {
    uint64_t value = 0;
    nvmlReturn_t result = slot < 0 ? NVML_ERROR_NOT_SUPPORTED : get(handle, slot, &value);
    *out = value;
    return result;
}

nvmlReturn_t nvmlDeviceGetClockInfo(nvmlDevice_t handle, nvmlClockType_t kind, unsigned int *out) {
    static const int slots[] = {SLOT_clock_graphics, SLOT_clock_sm, SLOT_clock_memory, -1};
    return clock_of(handle, kind > NVML_CLOCK_MEM ? -1 : slots[kind], out);
}

nvmlReturn_t nvmlDeviceGetMaxClockInfo(nvmlDevice_t handle, nvmlClockType_t kind, unsigned int *out) {
    return clock_of(handle,
                    kind == NVML_CLOCK_SM    ? SLOT_max_clock_sm
                    : kind == NVML_CLOCK_MEM ? SLOT_max_clock_memory
                                             : -1,
                    out);
}

/* --- errors ------------------------------------------------------------------------------------ */

nvmlReturn_t nvmlDeviceGetEccMode(nvmlDevice_t handle, nvmlEnableState_t *now,
                                  nvmlEnableState_t *later) {
    uint64_t value = 0;
    nvmlReturn_t result = get(handle, SLOT_ecc_mode, &value);
    *now = *later = value;
    return result;
}

nvmlReturn_t nvmlDeviceGetTotalEccErrors(nvmlDevice_t handle, nvmlMemoryErrorType_t kind,
                                         nvmlEccCounterType_t counter, unsigned long long *out) {
    uint64_t value = 0;
    int ever = counter == NVML_AGGREGATE_ECC;
    int slot = kind == NVML_MEMORY_ERROR_TYPE_CORRECTED
                   ? (ever ? SLOT_ecc_corrected_ever : SLOT_ecc_corrected)
                   : (ever ? SLOT_ecc_uncorrected_ever : SLOT_ecc_uncorrected);
    nvmlReturn_t result = get(handle, slot, &value);
    *out = value;
    return result;
}

nvmlReturn_t nvmlDeviceGetRemappedRows(nvmlDevice_t handle, unsigned int *corrected,
                                       unsigned int *uncorrected, unsigned int *pending,
                                       unsigned int *failed) {
    uint64_t value[4] = {0};
    for (int i = 0; i < 4; i++) {
        nvmlReturn_t result = get(handle, SLOT_rows_corrected + i, &value[i]);
        if (result != NVML_SUCCESS) return result;
    }
    *corrected = value[0];
    *uncorrected = value[1];
    *pending = value[2];
    *failed = value[3];
    return NVML_SUCCESS;
}

/* --- PCIe, NVLink, fans ------------------------------------------------------------------------ */

ONE(nvmlDeviceGetCurrPcieLinkGeneration, unsigned int, pcie_generation)
ONE(nvmlDeviceGetCurrPcieLinkWidth, unsigned int, pcie_width)
ONE(nvmlDeviceGetMaxPcieLinkGeneration, unsigned int, pcie_max_generation)
ONE(nvmlDeviceGetMaxPcieLinkWidth, unsigned int, pcie_max_width)
ONE(nvmlDeviceGetPcieReplayCounter, unsigned int, pcie_replay)
ONE(nvmlDeviceGetNumFans, unsigned int, fans)

nvmlReturn_t nvmlDeviceGetPcieThroughput(nvmlDevice_t handle, nvmlPcieUtilCounter_t counter,
                                         unsigned int *out) {
    uint64_t value = 0;
    nvmlReturn_t result = get(
        handle, counter == NVML_PCIE_UTIL_TX_BYTES ? SLOT_pcie_transmit : SLOT_pcie_receive, &value);
    *out = value;
    return result;
}

nvmlReturn_t nvmlDeviceGetNvLinkState(nvmlDevice_t handle, unsigned int link, nvmlEnableState_t *out) {
    uint64_t count = 0, active = 0; /* a bit for each link */
    nvmlReturn_t result = get(handle, SLOT_nvlink_count, &count);
    if (result != NVML_SUCCESS) return result;
    if (link >= count) return NVML_ERROR_INVALID_ARGUMENT;
    result = get(handle, SLOT_nvlink_active, &active);
    *out = (active >> link) & 1;
    return result;
}

nvmlReturn_t nvmlDeviceGetFanSpeed_v2(nvmlDevice_t handle, unsigned int fan, unsigned int *out) {
    uint64_t value = 0;
    if (fan > 1) return NVML_ERROR_INVALID_ARGUMENT;
    nvmlReturn_t result = get(handle, fan ? SLOT_fan_1 : SLOT_fan_0, &value);
    *out = value;
    return result;
}

static int slot_of_field(unsigned int field) {
    switch (field) {
    case NVML_FI_DEV_MEMORY_TEMP: return SLOT_memory_temperature;
    case NVML_FI_DEV_POWER_INSTANT: return SLOT_power_instant;
    case NVML_FI_DEV_NVLINK_LINK_COUNT: return SLOT_nvlink_count;
    case NVML_FI_DEV_NVLINK_THROUGHPUT_DATA_TX: return SLOT_nvlink_transmit;
    case NVML_FI_DEV_NVLINK_THROUGHPUT_DATA_RX: return SLOT_nvlink_receive;
    case NVML_FI_DEV_NVLINK_CRC_FLIT_ERROR_COUNT_TOTAL: return SLOT_nvlink_crc;
    case NVML_FI_DEV_NVLINK_REPLAY_ERROR_COUNT_TOTAL: return SLOT_nvlink_replay;
    case NVML_FI_DEV_NVLINK_RECOVERY_ERROR_COUNT_TOTAL: return SLOT_nvlink_recovery;
    case NVML_FI_DEV_PERF_POLICY_POWER: return SLOT_throttled_power;
    case NVML_FI_DEV_PERF_POLICY_THERMAL: return SLOT_throttled_thermal;
    case NVML_FI_DEV_RETIRED_SBE: return SLOT_pages_single;
    case NVML_FI_DEV_RETIRED_DBE: return SLOT_pages_double;
    case NVML_FI_DEV_RETIRED_PENDING: return SLOT_pages_pending;
    default: return -1;
    }
}

nvmlReturn_t nvmlDeviceGetFieldValues(nvmlDevice_t handle, int count, nvmlFieldValue_t *values) {
    hang();
    device_t *card = card_of(handle);
    if (!card) return NVML_ERROR_INVALID_ARGUMENT;
    if (card->lost) return NVML_ERROR_GPU_IS_LOST;
    for (int i = 0; i < count; i++) {
        int slot = slot_of_field(values[i].fieldId);
        values[i].nvmlReturn =
            slot < 0 ? NVML_ERROR_NOT_SUPPORTED : (nvmlReturn_t)get(handle, slot, &(uint64_t){0});
        if (values[i].nvmlReturn != NVML_SUCCESS) continue;
        /* the kinds of value are as mixed as the real ones */
        if (slot == SLOT_memory_temperature || slot == SLOT_power_instant) {
            values[i].valueType = NVML_VALUE_TYPE_UNSIGNED_INT;
            values[i].value.ullVal = ~0ull; /* what is beside an uiVal means nothing */
            values[i].value.uiVal = card->slot[slot].value;
        } else {
            values[i].valueType = NVML_VALUE_TYPE_UNSIGNED_LONG_LONG;
            values[i].value.ullVal = card->slot[slot].value;
        }
    }
    return NVML_SUCCESS;
}

/* --- processes, slices ------------------------------------------------------------------------- */

nvmlReturn_t nvmlDeviceGetComputeRunningProcesses_v3(nvmlDevice_t handle, unsigned int *count,
                                                     nvmlProcessInfo_t *out) {
    hang();
    device_t *card = card_of(handle);
    if (!card) return NVML_ERROR_NOT_SUPPORTED;
    if (card->lost) return NVML_ERROR_GPU_IS_LOST;
    if (*count < card->processes) {
        *count = card->processes;
        return NVML_ERROR_INSUFFICIENT_SIZE;
    }
    *count = card->processes;
    for (uint32_t i = 0; i < card->processes; i++) {
        memset(&out[i], 0, sizeof out[i]);
        out[i].pid = card->process[i].pid;
        out[i].usedGpuMemory = card->process[i].used;
    }
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetGraphicsRunningProcesses_v3(nvmlDevice_t handle, unsigned int *count,
                                                      nvmlProcessInfo_t *out) {
    *count = 0;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetMigMode(nvmlDevice_t handle, unsigned int *now, unsigned int *later) {
    uint64_t value = 0;
    nvmlReturn_t result = get(handle, SLOT_mig_mode, &value);
    *now = *later = value;
    return result;
}

ONE(nvmlDeviceGetMaxMigDeviceCount, unsigned int, mig_most)

nvmlReturn_t nvmlDeviceGetMigDeviceHandleByIndex(nvmlDevice_t handle, unsigned int index,
                                                 nvmlDevice_t *out) {
    device_t *card = card_of(handle);
    if (!card || index >= 8) return NVML_ERROR_INVALID_ARGUMENT;
    if (index >= card->slices) return NVML_ERROR_NOT_FOUND;
    *out = (nvmlDevice_t)&card->slice[index];
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetGpuInstanceId(nvmlDevice_t handle, unsigned int *out) {
    slice_t *slice = slice_of(handle);
    if (!slice) return NVML_ERROR_INVALID_ARGUMENT;
    *out = slice->gpu_instance;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetComputeInstanceId(nvmlDevice_t handle, unsigned int *out) {
    slice_t *slice = slice_of(handle);
    if (!slice) return NVML_ERROR_INVALID_ARGUMENT;
    *out = slice->compute_instance;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetAttributes_v2(nvmlDevice_t handle, nvmlDeviceAttributes_t *out) {
    slice_t *slice = slice_of(handle);
    if (!slice) return NVML_ERROR_NOT_SUPPORTED;
    memset(out, 0, sizeof *out);
    out->multiprocessorCount = 16;
    out->gpuInstanceSliceCount = 1;
    out->computeInstanceSliceCount = 1;
    out->memorySizeMB = slice->total >> 20;
    return NVML_SUCCESS;
}

/* --- events ------------------------------------------------------------------------------------ */

ONE(nvmlDeviceGetSupportedEventTypes, unsigned long long, event_types)

nvmlReturn_t nvmlEventSetCreate(nvmlEventSet_t *out) {
    *out = (nvmlEventSet_t)registered;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceRegisterEvents(nvmlDevice_t handle, unsigned long long types,
                                      nvmlEventSet_t set) {
    uint64_t supported = 0;
    nvmlReturn_t result = get(handle, SLOT_event_types, &supported);
    if (result != NVML_SUCCESS) return result;
    if (types & ~supported) return NVML_ERROR_NOT_SUPPORTED;
    registered[card_of(handle) - state->device] = types;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlEventSetWait_v2(nvmlEventSet_t set, nvmlEventData_t *out, unsigned int milliseconds) {
    if (state->broken_events) return NVML_ERROR_UNKNOWN;
    for (unsigned int waited = 0;; waited += 5) {
        while (heard < state->events) {
            event_t event = state->event[heard++ % 64];
            if (!(registered[event.device] & event.type)) continue;
            out->device = (nvmlDevice_t)&state->device[event.device];
            out->eventType = event.type;
            out->eventData = event.data;
            out->gpuInstanceId = event.gpu_instance;
            out->computeInstanceId = 0xFFFFFFFF;
            return NVML_SUCCESS;
        }
        if (waited >= milliseconds) return NVML_ERROR_TIMEOUT;
        usleep(5000);
    }
}

nvmlReturn_t nvmlEventSetFree(nvmlEventSet_t set) { return NVML_SUCCESS; }

/* --- GPM (Hopper and later) -------------------------------------------------------------------- */

nvmlReturn_t nvmlGpmQueryDeviceSupport(nvmlDevice_t handle, nvmlGpmSupport_t *out) {
    uint64_t value = 0;
    nvmlReturn_t result = get(handle, SLOT_gpm, &value);
    out->isSupportedDevice = value;
    return result;
}

nvmlReturn_t nvmlGpmSampleAlloc(nvmlGpmSample_t *out) {
    *out = calloc(1, sizeof(nvmlDevice_t));
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlGpmSampleFree(nvmlGpmSample_t sample) {
    free(sample);
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlGpmSampleGet(nvmlDevice_t handle, nvmlGpmSample_t sample) {
    uint64_t value = 0;
    *(nvmlDevice_t *)sample = handle;
    return get(handle, SLOT_gpm, &value);
}

nvmlReturn_t nvmlGpmMetricsGet(nvmlGpmMetricsGet_t *asked) {
    nvmlDevice_t handle = *(nvmlDevice_t *)asked->sample2;
    for (unsigned int i = 0; i < asked->numMetrics; i++) {
        unsigned int id = asked->metrics[i].metricId;
        uint64_t value = 0;
        int slot = id == NVML_GPM_METRIC_SM_UTIL         ? SLOT_gpm_sm
                   : id == NVML_GPM_METRIC_SM_OCCUPANCY  ? SLOT_gpm_occupancy
                   : id == NVML_GPM_METRIC_ANY_TENSOR_UTIL ? SLOT_gpm_tensor
                   : id == NVML_GPM_METRIC_DRAM_BW_UTIL  ? SLOT_gpm_dram
                                                         : -1;
        asked->metrics[i].nvmlReturn = slot < 0 ? NVML_ERROR_NOT_SUPPORTED : get(handle, slot, &value);
        asked->metrics[i].value = value;
    }
    return NVML_SUCCESS;
}
