@echo off
setlocal EnableExtensions DisableDelayedExpansion
rem weir @VERSION@ for @TARGET@: a small script in front of the Deno runtime and the program.
rem It unpacks both once into the user's local application data and runs them from there. The rest of this file is binary.
set "WEIR_ROOT=%LOCALAPPDATA%\weir"
if not defined LOCALAPPDATA set "WEIR_ROOT=%TEMP%\weir"
set "WEIR_DIR=%WEIR_ROOT%\@NAME@"
set "WEIR_FILE=%~f0"
if not exist "%WEIR_DIR%\deno.exe" powershell -NoLogo -NoProfile -NonInteractive -ExecutionPolicy Bypass -EncodedCommand @UNPACK@
if not exist "%WEIR_DIR%\deno.exe" exit /b 1
set "WEIR_UNSET=WEIR_UNSET,WEIR_ROOT,WEIR_DIR,WEIR_FILE"
if not defined DENO_DIR set "WEIR_UNSET=%WEIR_UNSET%,DENO_DIR"
if not defined DENO_DIR set "DENO_DIR=%WEIR_ROOT%\deno"
if not defined DENO_NO_UPDATE_CHECK set "WEIR_UNSET=%WEIR_UNSET%,DENO_NO_UPDATE_CHECK"
if not defined DENO_NO_UPDATE_CHECK set "DENO_NO_UPDATE_CHECK=1"
"%WEIR_DIR%\deno.exe" run @FLAGS@ "--import-map=@IMPORT_MAP@" "%WEIR_DIR%\weir.mjs" %*
exit /b %errorlevel%
