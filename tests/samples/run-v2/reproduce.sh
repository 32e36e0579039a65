#!/bin/sh
# Trains shapes-v1s6 again, with git and accelerate alone: the recorded code, options and files of this folder.
#
#     sh reproduce.sh
#
# These may be set:
#   PYTHON      the interpreter that trains; environment.json lists the packages it should have
#   SD_SCRIPTS  where the commit of sd-scripts is fetched from: a clone of it, or its address; nothing is changed there
#   OUTPUT      the folder that is made for the model; the code is put beside it, into OUTPUT-code
set -eu
unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE GIT_OBJECT_DIRECTORY GIT_ALTERNATE_OBJECT_DIRECTORIES GIT_NAMESPACE KL_RUN
CDPATH=

[ -n "${PYTHON:-}" ] || PYTHON=/home/lynx/venv/bin/python
[ -n "${SD_SCRIPTS:-}" ] || SD_SCRIPTS=/home/lynx/demo/sd-scripts-demo

say() { printf '%s\n' "$*" >&2; }
fail() { say "reproduce.sh: $*"; exit 1; }
plain_git() { git -c core.autocrlf=false -c core.hooksPath=/dev/null -c advice.detachedHead=false "$@"; }

case $0 in */*) RUN=${0%/*} ;; *) RUN=. ;; esac
RUN=$(cd -- "${RUN:-/}" && pwd -P)
[ -f "$RUN/run.json" ] || fail "give its path: sh FOLDER/reproduce.sh"
command -v git >/dev/null || fail "git is not installed"
PYTHON=$(command -v "$PYTHON") || fail "the interpreter is not there: PYTHON names another"
case $PYTHON in /*) ;; *) PYTHON=$PWD/$PYTHON ;; esac
: "${OUTPUT:=$RUN-reproduced}"
mkdir -- "$OUTPUT" "$OUTPUT-code" || fail "OUTPUT names a folder that is not there yet"
CODE=$(cd -- "$OUTPUT-code" && pwd -P)
OUTPUT=$(cd -- "$OUTPUT" && pwd -P)

# fetch FOLDER COMMIT SOURCE: true when the repository in FOLDER has the commit then.
fetch() {
  if [ -d "$3" ]; then
    set -- "$1" "$2" "$(cd -- "$3" && pwd -P)"
    plain_git -C "$1" fetch --quiet --depth=1 --no-tags \
      --upload-pack='git -c uploadpack.allowAnySHA1InWant=true upload-pack' "$3" "$2" || return 1
  else
    GIT_TERMINAL_PROMPT=0 plain_git -C "$1" fetch --quiet --depth=1 --no-tags "$3" "$2" ||
      GIT_TERMINAL_PROMPT=0 plain_git -C "$1" fetch --quiet "$3" '+refs/heads/*:refs/heads/fetched/*' || return 1
  fi
  plain_git -C "$1" cat-file -e "$2^{commit}"
}

# code FOLDER COMMIT TREE PATCH SOURCE...: the files of a commit, with a patch, in a folder of their own.
# Without a PATCH or a TREE to compare with, "".
code() {
  folder=$1 commit=$2 tree=$3 patch=$4 found=
  shift 4
  mkdir -p -- "$folder"
  plain_git -C "$folder" init --quiet --template=
  for source do
    if [ -z "$found" ] && [ -n "$source" ] && fetch "$folder" "$commit" "$source"; then found=$source; fi
  done
  [ -n "$found" ] || fail "commit $commit was found in none of: $*"
  plain_git -C "$folder" checkout --quiet --detach "$commit"
  if [ -n "$patch" ]; then
    plain_git -C "$folder" apply --index --binary --whitespace=nowarn "$RUN/$patch" || fail "$patch does not apply"
  fi
  if [ -n "$tree" ] && [ "$(plain_git -C "$folder" write-tree)" != "$tree" ]; then
    fail "$folder does not have the files that were trained with"
  fi
}


code "$CODE"/sd-scripts 61abf9d9c5c80aac573aedcd448c2d636d78f7ee f6865b8200dd2ce75febe95a5b36b1f38f870ed1 patches/sd-scripts.patch "$SD_SCRIPTS" https://git.example/lynx/sd-scripts.git
say 'not in sd-scripts: large.bin: larger than 1 MiB'
unset ACCELERATE_CPU_AFFINITY ACCELERATE_DEBUG_MODE ACCELERATE_DEEPSPEED_CONFIG_FILE ACCELERATE_DEEPSPEED_ZERO_STAGE \
  ACCELERATE_DOWNCAST_BF16 ACCELERATE_DYNAMO_BACKEND ACCELERATE_DYNAMO_MODE ACCELERATE_DYNAMO_USE_DYNAMIC \
  ACCELERATE_DYNAMO_USE_FULLGRAPH ACCELERATE_FP8_BACKEND ACCELERATE_FP8_OPT_LEVEL \
  ACCELERATE_GRADIENT_ACCUMULATION_STEPS ACCELERATE_GRADIENT_CLIPPING ACCELERATE_MIXED_PRECISION \
  ACCELERATE_TORCH_DEVICE ACCELERATE_USE_CPU ACCELERATE_USE_DEEPSPEED ACCELERATE_USE_FSDP ACCELERATE_USE_IPEX \
  ACCELERATE_USE_MEGATRON_LM ATEN_CPU_CAPABILITY BNB_CUDA_VERSION BNB_ROCM_VERSION CUBLAS_WORKSPACE_CONFIG \
  CUDA_LAUNCH_BLOCKING CUDA_MODULE_LOADING DISABLE_ADDMM_CUDA_LT DNNL_MAX_CPU_ISA FLASH_ATTENTION_TRITON_AMD_ENABLE \
  HF_HUB_OFFLINE HSA_OVERRIDE_GFX_VERSION IPEX_ATTENTION_SLICE_RATE IPEX_FORCE_ATTENTION_SLICE \
  IPEX_SDPA_SLICE_TRIGGER_RATE KMP_AFFINITY KMP_BLOCKTIME LYCORIS_KERNEL_BACKEND LYCORIS_KERNEL_TUNE \
  MIOPEN_DEBUG_CONV_GEMM MIOPEN_FIND_MODE MKL_CBWR MKL_DYNAMIC MKL_ENABLE_INSTRUCTIONS MKL_NUM_THREADS NCCL_ALGO \
  NCCL_BLOCKING_WAIT NCCL_IB_DISABLE NCCL_MAX_NCHANNELS NCCL_MIN_NCHANNELS NCCL_NTHREADS NCCL_NVLS_ENABLE \
  NCCL_P2P_DISABLE NCCL_P2P_LEVEL NCCL_PROTO NCCL_SHM_DISABLE NUMEXPR_NUM_THREADS NVIDIA_TF32_OVERRIDE OMP_DYNAMIC \
  OMP_NUM_THREADS OMP_PROC_BIND ONEDNN_DEFAULT_FPMATH_MODE ONEDNN_MAX_CPU_ISA OPENBLAS_CORETYPE OPENBLAS_NUM_THREADS \
  PYTHONHASHSEED PYTHONNOUSERSITE PYTHONOPTIMIZE PYTORCH_ALLOC_CONF PYTORCH_CUDA_ALLOC_CONF \
  PYTORCH_ENABLE_MPS_FALLBACK PYTORCH_HIP_ALLOC_CONF PYTORCH_JIT PYTORCH_MIOPEN_SUGGEST_NHWC \
  PYTORCH_MPS_HIGH_WATERMARK_RATIO PYTORCH_NO_CUDA_MEMORY_CACHING PYTORCH_NVFUSER_DISABLE PYTORCH_TUNABLEOP_ENABLED \
  PYTORCH_TUNABLEOP_FILENAME PYTORCH_TUNABLEOP_TUNING TORCHDYNAMO_DISABLE TORCHINDUCTOR_COORDINATE_DESCENT_TUNING \
  TORCHINDUCTOR_CUDAGRAPHS TORCHINDUCTOR_EMULATE_PRECISION_CASTS TORCHINDUCTOR_FORCE_DISABLE_CACHES \
  TORCHINDUCTOR_FREEZING TORCHINDUCTOR_MAX_AUTOTUNE TORCHINDUCTOR_USE_FAST_MATH TORCH_ALLOW_TF32_CUBLAS_OVERRIDE \
  TORCH_BLAS_PREFER_CUBLASLT TORCH_BLAS_PREFER_HIPBLASLT TORCH_COMPILE_DISABLE TORCH_CUDNN_SDPA_ENABLED \
  TORCH_CUDNN_USE_HEURISTIC_MODE_B TORCH_CUDNN_V8_API_DISABLED TORCH_CUDNN_V8_API_LRU_CACHE_LIMIT \
  TORCH_LINALG_PREFER_CUSOLVER TORCH_MKLDNN_MATMUL_MIN_DIM TORCH_NCCL_AVOID_RECORD_STREAMS TORCH_NCCL_BLOCKING_WAIT \
  TORCH_ROCM_AOTRITON_ENABLE_EXPERIMENTAL TORCH_ROCM_FA_PREFER_CK TRANSFORMERS_OFFLINE TRITON_INTERPRET \
  XFORMERS_ENABLE_TRITON XFORMERS_FORCE_DISABLE_TRITON XFORMERS_IGNORE_FLASH_VERSION_CHECK XLA_DOWNCAST_BF16 \
  XLA_USE_BF16
PATH=${PYTHON%/*}:$PATH; export PATH
PYTHONPATH=/home/lynx/kl; export PYTHONPATH
PYTHONUNBUFFERED=1; export PYTHONUNBUFFERED
PYTHONIOENCODING=utf-8; export PYTHONIOENCODING
TQDM_MININTERVAL=1; export TQDM_MININTERVAL
cd -- "$CODE"/sd-scripts
"$PYTHON" -m accelerate.commands.launch \
  --config_file="$RUN"/accelerate.yaml \
  --num_processes=1 \
  --num_machines=1 \
  --mixed_precision=no \
  --dynamo_backend=no \
  --num_cpu_threads_per_process=2 \
  --cpu \
  train_network.py \
  --pretrained_model_name_or_path=demo \
  --save_every_n_steps=2 \
  --save_state \
  --max_train_steps=6 \
  --max_data_loader_n_workers=0 \
  --seed=42 \
  --sample_every_n_steps=4 \
  --sample_sampler=ddim \
  --optimizer_type=AdamW \
  --learning_rate=0.001 \
  --lr_scheduler=constant \
  --save_model_as=safetensors \
  --network_weights=/home/lynx/demo/first.safetensors \
  --network_module=lycoris.kohya \
  --network_dim=1 \
  --network_alpha=1 \
  --network_args \
  algo=locon \
  preset=attn-only \
  --dataset_config="$RUN"/config.toml \
  --sample_prompts="$RUN"/sample-prompts.txt \
  --output_dir="$OUTPUT" \
  --output_name=shapes-v1s6 \
  --logging_dir="$OUTPUT"/logs
say "The model is in $OUTPUT, trained with the code in $CODE: "shapes-v1s6.safetensors
