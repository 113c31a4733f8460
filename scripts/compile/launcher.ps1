$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
$new = Join-Path $env:WEIR_ROOT ('.new-' + [Guid]::NewGuid())
try {
  New-Item -ItemType Directory -Force $new, $env:WEIR_DIR | Out-Null
  $file = [IO.File]::OpenRead($env:WEIR_FILE)
  $file.Position = @PAYLOAD_AT@ - 1
  $payload = New-Object byte[] @PAYLOAD_SIZE@
  $at = 0
  while ($at -lt $payload.Length -and ($n = $file.Read($payload, $at, $payload.Length - $at)) -gt 0) { $at += $n }
  $file.Close()
  $sum = [BitConverter]::ToString([Security.Cryptography.SHA256]::Create().ComputeHash($payload)) -replace '-', ''
  if ($sum -ne '@SHA256@') { throw "$env:WEIR_FILE is damaged: download it again" }
  foreach ($part in @('weir.mjs', @PROGRAM_AT@, @PROGRAM_SIZE@), @('deno.exe', @DENO_AT@, @DENO_SIZE@)) {
    $packed = New-Object IO.MemoryStream($payload, ($part[1] - @PAYLOAD_AT@), $part[2])
    $gzip = New-Object IO.Compression.GZipStream($packed, [IO.Compression.CompressionMode]::Decompress)
    $out = [IO.File]::Create((Join-Path $new $part[0]))
    $gzip.CopyTo($out)
    $out.Close()
    $place = Join-Path $env:WEIR_DIR $part[0]
    # Another start may have been faster.
    try { [IO.File]::Move((Join-Path $new $part[0]), $place) } catch { if (-not (Test-Path $place)) { throw } }
  }
} catch {
  [Console]::Error.WriteLine("weir: error: $_")
} finally {
  Remove-Item -Recurse -Force $new -ErrorAction SilentlyContinue
}
